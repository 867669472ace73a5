"""Where products live: a local folder or an S3 prefix behind one protocol."""
