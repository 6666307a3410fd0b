build() { printf 'FROM learn/base\nRUN echo %s > /bread.txt\n' $2 | docker build -q -t $1 -; }
build {{shop}} {{first}}
build {{shop}} {{second}}
build {{keep}} {{keep}}
build {{shop}} {{third}}
docker run --name {{shop}} --network none {{shop}} cat /bread.txt
