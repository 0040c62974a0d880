"""ONNX files, read and written. The only room that imports onnx, and only when it is called."""
