docker rm {{name}}
