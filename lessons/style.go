package lessons

import (
	"github.com/charmbracelet/glamour/ansi"
	"github.com/charmbracelet/glamour/styles"
	"github.com/muesli/termenv"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// glamourMarkdown is CommonMark through glamour's renderer, without glamour's front door: that one brings extensions of Markdown
// (tables, links without brackets) that lessons do not use, and whose regular expressions every process would compile at its start.
func glamourMarkdown() goldmark.Markdown {
	nodes := ansi.NewRenderer(ansi.Options{ColorProfile: termenv.TrueColor, Styles: glamourStyle()})
	return goldmark.New(goldmark.WithRenderer(renderer.NewRenderer(renderer.WithNodeRenderers(util.Prioritized(nodes, 1000)))))
}

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
