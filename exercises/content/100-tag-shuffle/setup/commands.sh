build() { printf 'FROM learn/base\nRUN echo %s > /edition-%s\n' $1 $1 | docker build -q -t {{shop}}:$2 -; }
build {{two}} {{one}}
build {{three}} {{two}}
build {{one}} {{three}}
