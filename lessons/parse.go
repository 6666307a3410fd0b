package lessons

// Parse reads one lesson. file is used in messages. The error is an *Error that names the line.
func Parse(file string, source []byte) (Lesson, error) { return Lesson{}, nil }
