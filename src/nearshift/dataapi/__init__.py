"""The Redshift Data API over this warehouse: for boto3, the AWS command line and Airflow with another endpoint address."""
