echo $(( ({{size}} + {{other}}) * 1024 )) >answer.txt
