package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/lessons/author"
	"github.com/learn-containers/learn/lessons/translate"
	"github.com/spf13/cobra"
)

// courseFolder is where the lessons of the program lie in its own source.
const courseFolder = "lessons/content"

// tasksFolder is where the exercises of the program lie there.
const tasksFolder = "exercises/content"

func (s *session) devCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "For authors: check lessons and exercises, begin and translate lessons",
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
		Short: "Say what is wrong with lessons and exercises, as file:line: text",
		Long: `learn dev check reads lessons and says what is wrong with them: expressions, commands and templates; lessons that are needed; misconceptions
that are in no catalogue or in no question; too few predictions, evidence or checks; nothing asked again from an earlier lesson; commands without
an intent; dead links; words and kinds of events that are none; translations that are stale, missing or of no text. PATH is a lesson.md, its
folder or a folder of lessons; without one the lessons of the program are checked. The word exercises, an exercise.md, its folder or a folder of
exercises mean exercises: each is carried out on the simulator, untouched, solved and wrongly. A warning alone is no reason for exit code 1.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.devCheck(cmd, args, play, strict)
		},
	}
	cmd.Flags().BoolVar(&play, "play", false, "Also play each lesson on the simulator, and warn of events for which the text has no word yet")
	cmd.Flags().BoolVar(&strict, "strict", false, "Take warnings as faults")
	return cmd
}

func (s *session) devCheck(cmd *cobra.Command, paths []string, play, strict bool) error {
	report := devReport{strict: strict}
	paths, err := s.devCheckExercises(cmd.Context(), paths, &report)
	if err != nil {
		return err
	}
	if len(paths) > 0 || report.exercises == 0 {
		if err := s.devCheckLessons(cmd.Context(), paths, play, &report); err != nil {
			return err
		}
	}
	return s.tell(report)
}

// devReport is what learn dev check has found.
type devReport struct {
	strict             bool
	lessons, exercises int // how many were checked
	found              []author.Finding
}

// devCheckExercises proves what among the paths is exercises, and returns the rest.
func (s *session) devCheckExercises(ctx context.Context, paths []string, r *devReport) ([]string, error) {
	var rest []string
	for _, p := range paths {
		set, is, err := exercisesIn(p)
		var fault *exercises.Error
		switch {
		case !is:
			rest = append(rest, p)
			continue
		case errors.As(err, &fault):
			r.found = append(r.found, exerciseFault(set.root, "", err))
		case err != nil:
			return nil, err
		}
		found, err := s.devExercises(ctx, set)
		if err != nil {
			return nil, err
		}
		r.exercises += max(len(set.all), 1) // one that can't be read counts, too
		r.found = append(r.found, found...)
	}
	return rest, nil
}

func (s *session) devCheckLessons(ctx context.Context, paths []string, play bool, r *devReport) error {
	places, err := placesOf(paths)
	if err != nil {
		return err
	}
	var drafts []author.Draft
	found := r.found
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
			more, err := s.devPlay(ctx, course, d)
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
	r.lessons, r.found = len(drafts), found
	return nil
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

// tell prints a report. The error is an exit code when there is a fault.
func (s *session) tell(r devReport) error {
	faults := 0
	for _, f := range r.found {
		fmt.Fprintln(s.out, f)
		if !f.Warning || r.strict {
			faults++
		}
	}
	fmt.Fprintf(s.out, "Lessons checked: %d. Exercises checked: %d. Faults: %d. Warnings: %d.\n", r.lessons, r.exercises, faults, len(r.found)-faults)
	if faults > 0 {
		return exitCode(1)
	}
	return nil
}

func (s *session) devNewCommand() *cobra.Command {
	var folder string
	var about strings.Builder
	var kinds []string
	for _, m := range makers() {
		kinds = append(kinds, m.Kind)
		fmt.Fprintf(&about, "  %-8s %s\n", m.Kind, m.About)
	}
	cmd := &cobra.Command{
		Use:       "new KIND NAME",
		Short:     "Begin a lesson that can be played, or an exercise that can be proven, at once",
		Long:      "learn dev new begins something of the course. KIND is one of\n\n" + about.String(),
		Args:      cobra.RangeArgs(1, 2),
		ValidArgs: kinds,
		RunE: func(_ *cobra.Command, args []string) error {
			i := slices.Index(kinds, args[0])
			if i < 0 {
				return fmt.Errorf("make %s: there is no such kind; expected %s", args[0], strings.Join(kinds, " or "))
			}
			file, err := makers()[i].Make(folderFor(kinds[i], folder), strings.Join(args[1:], ""))
			if err != nil {
				return err
			}
			fmt.Fprintln(s.out, file)
			if kinds[i] == "lesson" {
				fmt.Fprintf(s.out, "\nPlay it with learn play %s.", file)
			}
			fmt.Fprintf(s.out, "\nProve it with learn dev check --play %s.\n", file)
			return nil
		},
	}
	cmd.Flags().StringVar(&folder, "dir", "", "Folder of lessons ("+courseFolder+") or exercises ("+tasksFolder+")")
	return cmd
}

// makers are those of lessons, and one for exercises.
func makers() []author.Maker {
	return append(author.Makers(), author.Maker{Kind: "exercise", About: "a folder with an exercise that is proven as it is, in a folder of exercises", Make: exercises.New})
}

func folderFor(kind, folder string) string {
	switch {
	case folder != "":
		return folder
	case kind == "exercise":
		return tasksFolder
	}
	return courseFolder
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
	var all []lessons.Header
	for _, d := range drafts {
		all = append(all, d.Header)
	}
	l, err := lessons.Find(all, what)
	if err != nil {
		return author.Draft{}, err
	}
	return drafts[slices.IndexFunc(drafts, func(d author.Draft) bool { return d.ID == l.ID })], nil
}
