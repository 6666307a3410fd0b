docker create --name flat {{inn}}:1
docker export flat | docker import --change 'ENV CITY={{city}}' --change 'LABEL owner={{owner}}' --change 'CMD ["/menu", "{{soup}}"]' - {{inn}}:flat
docker rm flat
