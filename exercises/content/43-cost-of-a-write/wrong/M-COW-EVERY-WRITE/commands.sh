echo $((3 * {{size}} * 1024)) >answer.txt
