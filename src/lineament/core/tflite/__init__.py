"""TFLite files: read by a reader of ours and translated to ONNX; TFLite itself is not needed."""

from lineament.core.tflite.reader import Graph, Operator, Quantization, Tensor, read_tflite
from lineament.core.tflite.translate import to_onnx

__all__ = ["Graph", "Operator", "Quantization", "Tensor", "read_tflite", "to_onnx"]
