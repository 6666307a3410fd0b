docker image cat --layer 2 {{shop}} /key.txt >answer.txt
