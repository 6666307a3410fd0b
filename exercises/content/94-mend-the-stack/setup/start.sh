#!/bin/sh
learn docker run -d --name {{web}} --network {{street}} -p 127.0.0.1:{{inner}}:{{port}} {{web}}
learn docker run -d --name {{store}} {{web}} httpd -f -p 127.0.0.1:{{inner}} -h /goods
