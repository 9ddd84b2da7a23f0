"""Tools that the tests of nearshift and of pipelines share; nothing in the package imports them."""
