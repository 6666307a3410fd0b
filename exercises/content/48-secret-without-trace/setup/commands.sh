docker build -q -t {{shop}}:leaky .
