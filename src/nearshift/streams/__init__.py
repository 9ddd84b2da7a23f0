"""Where records come from: streams, their shards, and where in them to read on. See docs/design/0004-reading-a-stream.md."""
