printf 'FROM learn/base\nRUN echo {{good}} > /state.txt\nCMD ["cat", "/state.txt"]\n' | docker build -q -t {{shop}}:stable -
printf 'FROM learn/base\nRUN echo {{bad}} > /state.txt\nCMD ["cat", "/nothing.txt"]\n' | docker build -q -t {{shop}}:stable -
