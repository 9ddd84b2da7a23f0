"""A pipeline folder on Amazon Redshift: what AWS needs as one CloudFormation template, the rest by its APIs, then the SQL."""
