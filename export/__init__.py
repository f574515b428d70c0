"""Stage 3: a student in, a verified ONNX bundle for the web page out."""
