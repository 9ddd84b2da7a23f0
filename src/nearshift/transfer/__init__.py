"""Files in and out: what COPY reads and UNLOAD writes, as streams of batches; knows no sessions."""
