docker image cat --layer 3 {{shop}} /key.txt >answer.txt
