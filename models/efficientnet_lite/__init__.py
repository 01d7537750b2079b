"""EfficientNet-Lite (tensorflow/tpu, models/official/efficientnet/lite): no squeeze-excitation, ReLU6 everywhere."""
