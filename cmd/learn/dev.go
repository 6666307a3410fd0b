package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/lessons/author"
	"github.com/learn-containers/learn/lessons/translate"
	"github.com/spf13/cobra"
)

// courseFolder is where the lessons of the program lie in its own source.
const courseFolder = "lessons/content"

func (s *session) devCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "For authors: check, begin and translate lessons",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(s.devCheckCommand(), s.devNewCommand(), s.devTranslateCommand())
	return cmd
}

func (s *session) devCheckCommand() *cobra.Command {
	var play, strict bool
	cmd := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Say what is wrong with lessons, as file:line: text",
		Long: `learn dev check reads lessons and says what is wrong with them: expressions, commands and templates; lessons that are needed; misconceptions
that are in no catalogue or in no question; too few predictions, evidence or checks; nothing asked again from an earlier lesson; commands without
an intent; dead links; words and kinds of events that are none; translations that are stale, missing or of no text. PATH is a lesson.md, its
folder or a folder of lessons; without one the lessons of the program are checked. A warning alone is no reason for exit code 1.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.devCheck(cmd, args, play, strict)
		},
	}
	cmd.Flags().BoolVar(&play, "play", false, "Also play each lesson on the simulator, and warn of events for which the text has no word yet")
	cmd.Flags().BoolVar(&strict, "strict", false, "Take warnings as faults")
	return cmd
}

func (s *session) devCheck(cmd *cobra.Command, paths []string, play, strict bool) error {
	places, err := placesOf(paths)
	if err != nil {
		return err
	}
	var drafts []author.Draft
	var found []author.Finding
	for _, p := range places {
		read, faults := p.Read()
		drafts, found = append(drafts, read...), append(found, faults...)
	}
	course, err := author.NewCourse(drafts)
	if err != nil {
		return err
	}
	for _, d := range drafts {
		found = append(found, course.Check(d)...)
		if play {
			more, err := s.devPlay(cmd.Context(), course, d)
			if err != nil {
				return err
			}
			found = append(found, more...)
		}
	}
	for _, p := range places {
		if !p.Whole {
			continue
		}
		more, err := course.CheckTranslations(p.Files, p.Root)
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	return s.devReport(len(drafts), found, strict)
}

// placesOf opens what the paths name; without any, the lessons of the program.
func placesOf(paths []string) ([]author.Place, error) {
	if len(paths) == 0 {
		content, err := lessons.Content()
		if err != nil {
			return nil, err
		}
		names, err := fs.Glob(content, "*/lesson.md")
		return []author.Place{{Files: content, Names: names, Whole: true}}, err
	}
	var out []author.Place
	for _, p := range paths {
		place, err := author.Open(p)
		if err != nil {
			return nil, err
		}
		out = append(out, place)
	}
	return out, nil
}

func (s *session) devReport(checked int, found []author.Finding, strict bool) error {
	faults := 0
	for _, f := range found {
		fmt.Fprintln(s.out, f)
		if !f.Warning || strict {
			faults++
		}
	}
	fmt.Fprintf(s.out, "Lessons checked: %d. Faults: %d. Warnings: %d.\n", checked, faults, len(found)-faults)
	if faults > 0 {
		return exitCode(1)
	}
	return nil
}

func (s *session) devNewCommand() *cobra.Command {
	var folder string
	var about strings.Builder
	var kinds []string
	for _, m := range author.Makers() {
		kinds = append(kinds, m.Kind)
		fmt.Fprintf(&about, "  %-8s %s\n", m.Kind, m.About)
	}
	cmd := &cobra.Command{
		Use:       "new KIND NAME",
		Short:     "Begin a lesson that can be played at once",
		Long:      "learn dev new begins something of the course. KIND is one of\n\n" + about.String(),
		Args:      cobra.RangeArgs(1, 2),
		ValidArgs: kinds,
		RunE: func(_ *cobra.Command, args []string) error {
			i := slices.Index(kinds, args[0])
			if i < 0 {
				return fmt.Errorf("make %s: there is no such kind; expected %s", args[0], strings.Join(kinds, " or "))
			}
			file, err := author.Makers()[i].Make(folder, strings.Join(args[1:], ""))
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s\n\nPlay it with learn play %s, prove it with learn dev check --play %s.\n", file, file, file)
			return nil
		},
	}
	cmd.Flags().StringVar(&folder, "dir", courseFolder, "Folder of lessons")
	return cmd
}

func (s *session) devTranslateCommand() *cobra.Command {
	var folder, lang string
	cmd := &cobra.Command{
		Use:   "translate LESSON --lang LANG",
		Short: "Write or update the file of a translation",
		Long: `learn dev translate writes lesson.LANG.yaml beside a lesson, with an entry for each of its texts. What is translated is kept; new texts get an
empty entry, and those whose original has changed a mark. LESSON is the lesson's id, number or path, or one of ` + strings.Join(author.CourseNames(), " and ") + `: the
player's own texts, and those misconceptions that translated lessons ask about.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if !translate.IsTag(lang) {
				return fmt.Errorf("translate %s: --lang %q; expected a tag such as zh-CN or de", args[0], lang)
			}
			file, text, err := translation(folder, args[0], lang)
			if err != nil {
				return err
			}
			if err := os.WriteFile(file, text, 0o644); err != nil {
				return fmt.Errorf("write translation: %w", err)
			}
			fmt.Fprintln(s.out, file)
			return nil
		},
	}
	cmd.Flags().StringVar(&folder, "dir", courseFolder, "Folder of lessons")
	cmd.Flags().StringVar(&lang, "lang", "", "Language, such as zh-CN")
	return cmd
}

// translation makes the text of a translation, of a lesson or of one of the course's own parts.
func translation(folder, what, lang string) (file string, text []byte, err error) {
	if _, err := os.Stat(what); err == nil && !slices.Contains(author.CourseNames(), what) {
		folder = what
	}
	place, err := author.Open(folder)
	if err != nil {
		return "", nil, fmt.Errorf("%w (--dir names the folder of lessons)", err)
	}
	drafts, faults := place.Read()
	if len(faults) > 0 {
		return "", nil, errors.New(faults[0].String())
	}
	var name string
	if slices.Contains(author.CourseNames(), what) {
		course, err := author.NewCourse(drafts)
		if err != nil {
			return "", nil, err
		}
		name, text, err = course.CourseTranslation(place.Files, what, lang)
		return filepath.Join(place.Root, name), text, err
	}
	draft, err := draftOf(drafts, what)
	if err != nil {
		return "", nil, err
	}
	name, text, err = author.Translation(draft, lang)
	return filepath.Join(place.Root, name), text, err
}

func draftOf(drafts []author.Draft, what string) (author.Draft, error) {
	if len(drafts) == 1 {
		return drafts[0], nil
	}
	var all []lessons.Lesson
	for _, d := range drafts {
		all = append(all, d.Lesson)
	}
	l, err := lessons.Find(all, what)
	if err != nil {
		return author.Draft{}, err
	}
	return drafts[slices.IndexFunc(drafts, func(d author.Draft) bool { return d.ID == l.ID })], nil
}
