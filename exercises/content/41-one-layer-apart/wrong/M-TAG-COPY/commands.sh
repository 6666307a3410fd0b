docker tag {{name}}:1 {{name}}:2
