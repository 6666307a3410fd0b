docker tag {{shop}}:stable {{shop}}:bad
printf 'FROM learn/base\nRUN echo anew > /state.txt\nCMD ["cat", "/state.txt"]\n' | docker build -q -t {{shop}}:stable -
