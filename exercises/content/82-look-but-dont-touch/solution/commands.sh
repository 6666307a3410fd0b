docker run -d --name {{web}} -v "$PWD/today:/www/today:ro" {{web}}
