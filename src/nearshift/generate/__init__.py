"""Facts and dimensions declared in `nearshift.toml`, written out as Redshift SQL."""
