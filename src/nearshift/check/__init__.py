"""What Amazon Redshift would make of a pipeline folder, before anything is deployed."""
