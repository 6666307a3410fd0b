docker cp {{name}}:/work/result.txt result.txt
