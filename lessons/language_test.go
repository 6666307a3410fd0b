package lessons

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/lessons/translate"
	"github.com/learn-containers/learn/trace"
)

// translated is the lesson of this package's tests with a side file: f turns each text into its translation.
func translated(t *testing.T, source string, f func(translate.Text) string) Lesson {
	t.Helper()
	l, err := Parse("01-one/lesson.md", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, text := range l.Texts() {
		fmt.Fprintf(&b, "%s:\n  source: \"%s\"\n  text: |\n    %s\n", text.ID, translate.Hash(text.Source), strings.ReplaceAll(f(text), "\n", "\n    "))
	}
	l, err = LoadOne(fstest.MapFS{"01-one/lesson.md": {Data: []byte(source)}, "01-one/lesson.zh-CN.yaml": {Data: []byte(b.String())}}, "01-one/lesson.md")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func inChinese(t translate.Text) string { return "译：" + t.Source }

// TestEveryTextCanBeTranslated: with a full translation nothing of the original's text is left, and all that is no text stays.
func TestEveryTextCanBeTranslated(t *testing.T) {
	l := translated(t, lesson, inChinese)
	in, err := l.In("zh-CN")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []translate.Text
	for _, text := range l.Texts() {
		text.Source = inChinese(text)
		want = append(want, text)
	}
	got = in.Texts()
	for i := range got { // a translated heading would name its section otherwise; the places stay
		want[i].ID, got[i].ID = "", ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
	if in.Sections[0].Title != "译：First" || l.Sections[0].Title != "First" {
		t.Errorf("titles are %q and, of the original, %q", in.Sections[0].Title, l.Sections[0].Title)
	}
	for i, s := range in.Steps {
		if s.Command != l.Steps[i].Command {
			t.Errorf("step %d is %q", s.Number, s.Command)
		}
	}
	if in.Steps[0].Before[2].File.Content != "size {{size}}\n" {
		t.Errorf("the file is %+v", in.Steps[0].Before[2].File)
	}
}

func TestPlayInAnotherLanguage(t *testing.T) {
	l := translated(t, lesson, inChinese)
	p := &playing{engine: &fakeEngine{home: t.TempDir()}}
	var steps []int
	p.result, p.err = l.Play(t.Context(), Options{Engine: p.engine, Programs: p.engine, Out: &p.out, Workspace: t.TempDir(), Lang: "zh-CN",
		OnStep: func(step int, _ []trace.Event) { steps = append(steps, step) }})
	p.wants(t, "# 译：A lesson", "## 译：First", "译：Intent.", "size 2", "译：How large?", "1. 译：as large", "$ docker image new 2", "译：larger", "译：size of new：true", "译：That is why.", "译：both are there")
	if !p.result.Finished || !cmp.Equal(steps, []int{1, 2, 3}) {
		t.Errorf("result is %+v, steps %v", p.result, steps)
	}
}

// TestStaleIsShownInTheOriginal: so are missing texts and those with other templates.
func TestStaleIsShownInTheOriginal(t *testing.T) {
	source := strings.Replace(lesson, "Intent.", "Intent for {{size}}.", 1)
	l := translated(t, source, func(text translate.Text) string {
		if strings.Contains(text.Source, "{{size}}") {
			return "译：没有"
		}
		return inChinese(text)
	})
	changed := strings.NewReplacer("How large?", "How very large?", "Afterwards.", "Afterwards.\nAnd more.").Replace(source)
	now, err := Parse("01-one/lesson.md", []byte(changed))
	if err != nil {
		t.Fatal(err)
	}
	now.Sides = l.Sides
	in, err := now.In("zh-CN")
	if err != nil {
		t.Fatal(err)
	}
	var english []string
	for _, text := range in.Texts() {
		if !strings.HasPrefix(text.Source, "译：") {
			english = append(english, text.Source)
		}
	}
	if diff := cmp.Diff([]string{"Intent for {{size}}.", "How very large?", "Afterwards.\nAnd more."}, english); diff != "" {
		t.Errorf("in the original (-want +got):\n%s", diff)
	}
}

// TestIdsStay: what is written in another section, or a new section, changes no id of the others.
func TestIdsStay(t *testing.T) {
	const step = "```console\n$ true\n```\n"
	ids := func(source string) map[string]string {
		l, err := Parse("l.md", []byte(head+source))
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, text := range l.Texts() {
			if out[text.ID] != "" {
				t.Errorf("id %s is there twice", text.ID)
			}
			out[text.ID] = text.Source
		}
		return out
	}
	before := ids("A.\n\n## Foo, bar!\n\nB.\n\n" + step + "\nC.\n\n## Foo bar 2\n\nD.\n\n## Foo bar\n\nE.\n\n## 中文\n\nF.\n\n" + step)
	want := map[string]string{"title": "One", "start/1": "A.", "foo-bar/heading": "Foo, bar!", "foo-bar/1": "B.", "foo-bar/2": "C.", "foo-bar-2/heading": "Foo bar 2", "foo-bar-2/1": "D.",
		"foo-bar-3/heading": "Foo bar", "foo-bar-3/1": "E.", "section/heading": "中文", "section/1": "F."}
	if diff := cmp.Diff(want, before); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	after := ids("A.\n\n## New\n\nX.\n\n## Foo, bar!\n\nB.\n\n" + step + "\nC.\n")
	if after["foo-bar/1"] != "B." || after["foo-bar/2"] != "C." {
		t.Errorf("a new section changes ids: %v", after)
	}
}

func TestMatchLanguage(t *testing.T) {
	have := []string{"de", "zh-CN"}
	for wanted, want := range map[string]string{"zh_CN.UTF-8": "zh-CN", "zh-cn": "zh-CN", "zh": "zh-CN", "de_AT@euro": "de", "zh_TW": "", "C": "", "POSIX": "", "": "", "d": ""} {
		if got, _ := MatchLanguage(wanted, have); got != want {
			t.Errorf("MatchLanguage(%q) = %q; want %q", wanted, got, want)
		}
	}
}

// TestWords: every phrase has an id of its own and a text, and each one is said somewhere.
func TestWords(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range Words() {
		if w.ID == "" || w.Source == "" || seen[w.ID] {
			t.Errorf("phrase %+v; want an id of its own and a text", w)
		}
		seen[w.ID] = true
	}
	said := map[string]bool{}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == "words.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && strings.HasPrefix(id.Name, "say") && len(id.Name) > 3 && id.Name[3] < 'a' {
				said[id.Name] = true
			}
			return true
		})
	}
	if n := len(said); n != len(phrases) {
		t.Errorf("%d phrases are said; want all %d", n, len(phrases))
	}
	w := words{translate.File{Entries: []translate.Entry{{ID: "score", Source: translate.Hash(phrases[sayScore].Source), Text: "{{questions}}中的{{right}}"}}}}
	if got := w.say(sayScore, "right", 2, "questions", "{{right}}"); got != "{{right}}中的2" {
		t.Errorf("say = %q", got)
	}
	if got := w.count(1, sayStep, saySteps) + ", " + w.count(2, sayStep, saySteps); got != "1 step, 2 steps" {
		t.Errorf("counts are %q", got)
	}
}

// TestWideLayout: Chinese text is broken between characters, by the columns that it takes, and no line begins or ends with a mark that belongs elsewhere.
func TestWideLayout(t *testing.T) {
	tests := []struct {
		in, want string
		width    int
	}{
		{"一二三四五六七八九十", "一二三四五\n六七八九十\n", 11},
		{"一二三四，五六", "一二三\n四，五\n六\n", 7},
		{"一二三（四五）六", "一二三\n（四\n五）六\n", 7},
		{"用 `docker run` 运行", "用 `docker\nrun` 运行\n", 11},
		{"运行`docker`容器", "运行\n`docker`容\n器\n", 10},
		{"一二**三四**五六", "一二**三\n四**五六\n", 10},
		{"- 一二三四五六", "- 一二三\n  四五六\n", 8},
		{"一二\n三四 five\nsix 七\n八", "一二三四 five six 七八\n", 40},
		{"plain-words/that stay", "plain-words/that\nstay\n", 10},
		{"e\u0301e\u0301e\u0301 e\u0301e\u0301", "e\u0301e\u0301e\u0301 e\u0301e\u0301\n", 6},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, layout(test.in, test.width)); diff != "" {
			t.Errorf("layout(%q, %d) (-want +got):\n%s", test.in, test.width, diff)
		}
	}
	colored := wrap("", "一二\x1b[1m三四\x1b[0m五六", "", 6)
	if colored != "一二\x1b[1m三\n四\x1b[0m五六" || columns(colored[:strings.Index(colored, "\n")]) != 6 {
		t.Errorf("coloured text is %q", colored)
	}
}

// TestChinese: the lessons that are translated are so throughout, and the player speaks that language, also when it refutes; what it has no
// translation for is shown in the original.
func TestChinese(t *testing.T) {
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	translatedLessons := 0
	for _, l := range all {
		if len(l.Languages()) == 0 {
			continue
		}
		translatedLessons++
		in, err := l.In("zh-CN")
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Prove(); err != nil {
			t.Error(err)
		}
		for seed := range uint64(20) {
			if _, _, err := in.play(seed); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
	}
	if translatedLessons < 3 {
		t.Errorf("%d lessons are translated; want the first three at least", translatedLessons)
	}
	source := strings.NewReplacer("{M-LAYER-COPY}", "{M-CONTAINER-VM}").Replace(lesson)
	p := play(t, source, "e\n0\n1\n3\n\n9\n?\n\nzz\n\nx\n\n", func(o *Options) { o.Lang, o.Width = "zh-CN", 400 })
	p.wants(t, "按键（之后按回车）", "文件 `sub/a.txt`：", "预测：How large?", "你的预测，1 到 2 >", "还没有运行过任何步骤。", "没有“0”这个选项", "你有多大把握？", "第 1 步，共 3 步：", "按回车运行 >",
		"你选了 1。实际结果：2. larger", "你刚才完全确定", "证据：", "size of new：true", "一个常见的误解：容器是一台小虚拟机", "其实：", "亲自看看：", "找出证据：Which event?", "事件的编号", "“9”不对。证据：",
		"一个常见的误解：A second name", "已验证：both are there。", "后退：一切恢复", "这里没有“zz”这个按键", "文件的路径", "“x”不对", "按回车结束本课", "本课结束。", "3 道题，你答对了 0 道。")
	if !p.result.Finished {
		t.Errorf("result is %+v", p.result)
	}
}
