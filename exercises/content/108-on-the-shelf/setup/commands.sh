printf 'FROM learn/base\nRUN echo {{app}} {{number}} >/about.txt\nCMD ["cat", "/about.txt"]\n' >Dockerfile
docker build -q -t {{app}}:draft .
rm Dockerfile
