docker tag {{shop}}:{{two}} {{shop}}:spare
docker tag {{shop}}:{{one}} {{shop}}:{{two}}
docker tag {{shop}}:{{three}} {{shop}}:{{one}}
printf 'FROM learn/base\nRUN echo again > /edition-{{three}}\n' | docker build -q -t {{shop}}:{{three}} -
docker rmi {{shop}}:spare
