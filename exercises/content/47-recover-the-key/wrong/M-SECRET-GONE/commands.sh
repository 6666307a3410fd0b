echo 'it is gone' >answer.txt
