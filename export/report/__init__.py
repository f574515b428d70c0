"""What a comparison found, as one HTML file without a server and as CSV."""
