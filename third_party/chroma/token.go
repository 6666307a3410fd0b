package chroma

// TokenType says what a piece of source text is. Types of one category share their hundreds.
type TokenType int

// categorySize is the distance between two categories of token types.
const categorySize = 100

// The token types that styles name. The first of each group is the category of the others.
const (
	Background TokenType = iota + 1
	Error
	Other
)

// Keywords.
const (
	Keyword TokenType = categorySize*1 + iota
	KeywordReserved
	KeywordNamespace
	KeywordType
)

// Names.
const (
	Name TokenType = categorySize*2 + iota
	NameBuiltin
	NameTag
	NameAttribute
	NameClass
	NameConstant
	NameDecorator
	NameException
	NameFunction
	NameOther
)

// Literals: values written in the source.
const (
	Literal TokenType = categorySize*3 + iota
	LiteralNumber
	LiteralDate
	LiteralString
	LiteralStringEscape
)

// Operators.
const Operator TokenType = categorySize * 4

// Punctuation.
const Punctuation TokenType = categorySize * 5

// Comments.
const (
	Comment TokenType = categorySize*6 + iota
	CommentPreproc
)

// Generic is for text that is not source: differences, headings, prompts.
const (
	Generic TokenType = categorySize*7 + iota
	GenericDeleted
	GenericEmph
	GenericInserted
	GenericStrong
	GenericSubheading
	GenericPrompt
)

// Text is everything else.
const Text TokenType = categorySize * 8

// Category is the type whose style t takes when it has none of its own.
func (t TokenType) Category() TokenType { return t / categorySize * categorySize }
