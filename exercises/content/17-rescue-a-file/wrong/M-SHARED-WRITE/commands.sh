docker run --rm {{name}} cat /work/result.txt >result.txt || true
