echo 12 >answer.txt
