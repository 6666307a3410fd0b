docker run -d --name {{web}} -v "$PWD/today:/www:ro" {{web}}
