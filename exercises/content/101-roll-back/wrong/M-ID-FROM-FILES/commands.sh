docker tag {{shop}}:stable {{shop}}:bad
printf 'FROM learn/base\nRUN echo {{good}} > /state.txt\nCMD ["sh"]\n' | docker build -q -t {{shop}}:stable -
