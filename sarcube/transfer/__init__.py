"""One HTTP client, one S3 client, downloads, logins; secrets kept out of every text."""
