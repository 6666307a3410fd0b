docker stop -t 0 {{long}} {{night}}
