package lessons

import (
	"github.com/charmbracelet/glamour/ansi"
	"github.com/charmbracelet/glamour/styles"
)

// glamourStyle is glamour's dark style without a colour and a margin for ordinary text, so that it can be read on a
// light terminal, too.
func glamourStyle() ansi.StyleConfig {
	style := styles.DarkStyleConfig
	none := uint(0)
	style.Document.Color, style.Document.Margin = nil, &none
	style.Document.BlockPrefix, style.Document.BlockSuffix = "", ""
	style.Code.Prefix, style.Code.Suffix, style.Code.BackgroundColor = "", "", nil
	style.CodeBlock.Color = nil
	if style.CodeBlock.Chroma != nil {
		chroma := *style.CodeBlock.Chroma
		chroma.Text.Color, chroma.Name.Color = nil, nil
		chroma.Background.BackgroundColor = nil
		style.CodeBlock.Chroma = &chroma
	}
	return style
}
