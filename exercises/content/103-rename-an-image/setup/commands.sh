printf 'FROM learn/base\nRUN echo {{bread}} > /bread.txt\nCMD ["cat", "/bread.txt"]\n' | docker build -q -t {{shop}}:{{draft}} -
