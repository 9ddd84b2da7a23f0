"""DynamoDB and Kinesis on one port and one SQLite file: a durable stand-in that unmodified AWS clients talk to.

It imports nothing from the rest of the package. `server.py` is the door, `service.py` the seam to the services, `store.py` the file.
"""
