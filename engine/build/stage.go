package build

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/build/fetch"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// historyComment marks history entries as docker's builder does.
const historyComment = "buildkit.dockerfile.v0"

// stage is one stage as far as it is built.
type stage struct {
	session  *session
	planned  dockerfile.Stage
	config   oci.Image
	layers   []image.Layer
	unpacked int // how many of layers are known to be unpacked
	scope    *dockerfile.Scope
	conf     dockerfile.Configurator // of config.Config
	created  time.Time               // of the newest layer
	changed  *Place                  // the first step of the stage that was not taken from the cache
	unknown  bool                    // a dry run: the tree is that of a step that was not carried out
	fresh    bool                    // the cache is not used
	steps    int                     // steps that are shown
	step     int
	places   int                   // steps that make a tree, so far
	texts    []string              // of the instructions that make a tree
	aligned  map[int][]*StepRecord // by number of an earlier build, the steps that stand for texts

	unpacking sync.Mutex // guards unpacked when the stage is done and others take from it
}

// chain is the identity of the stage's tree.
func (st *stage) chain() digest.Digest {
	if len(st.layers) == 0 {
		return ""
	}
	return st.layers[len(st.layers)-1].ChainID
}

// countShown counts what BuildKit numbers: the base, and every instruction that makes a tree.
func countShown(p dockerfile.Stage) int {
	n := 1
	for _, in := range p.Instructions {
		if makesTree(in.Name) {
			n++
		}
	}
	return n
}

func makesTree(name string) bool {
	return name == "RUN" || name == "COPY" || name == "ADD" || name == "WORKDIR"
}

// treeTexts lists the texts of the instructions that make a tree.
func treeTexts(list []dockerfile.Instruction) []string {
	var texts []string
	for _, in := range list {
		if makesTree(in.Name) {
			texts = append(texts, in.Text)
		}
	}
	return texts
}

// show begins a step of the progress.
func (st *stage) show(text string) int {
	st.step++
	st.steps = max(st.steps, st.step) // triggers of the base come on top
	return st.session.display.step(Step{N: st.step, Of: st.steps, Stage: st.planned.Name, Text: text})
}

// from sets the stage on its base.
func (st *stage) from(ctx context.Context, in dockerfile.Instruction) (outcome, error) {
	id := st.show(in.Text)
	err := st.setBase(ctx, in)
	st.session.display.Done(id, err)
	if err != nil {
		return outcome{}, err
	}
	var base *dockerfile.Scope
	if i := st.planned.Base.Stage; i >= 0 {
		b, err := st.session.await(ctx, i)
		if err != nil {
			return outcome{}, err
		}
		base = b.scope
	}
	st.scope, st.conf.Config = st.session.plan.Scope(st.planned, st.config.Config.Env, base), &st.config.Config
	return outcome{}, nil
}

func (st *stage) setBase(ctx context.Context, in dockerfile.Instruction) error {
	note := BaseRecord{Stage: st.planned.Index, StageName: st.planned.Name, Line: in.Line, Name: "scratch", OfStage: st.planned.Base.Stage}
	switch base := st.planned.Base; {
	case base.Scratch:
		p := st.planned.Platform
		st.config = oci.Image{Architecture: p.Architecture, Variant: p.Normal().Variant, OS: p.OS, OSVersion: p.OSVersion}
		st.config.Config.WorkingDir = "/"
	case base.Stage >= 0:
		b, err := st.session.await(ctx, base.Stage)
		if err != nil {
			return err
		}
		st.config, st.layers, st.created, st.changed, st.unknown = cloneConfig(b.config), slices.Clone(b.layers), b.created, b.changed, b.unknown
		note.Name = stageName(b.planned)
	default:
		img, err := st.session.resolve(ctx, in, base.Image, st.planned.Platform)
		if err != nil {
			return err
		}
		if img.Config.OS != "" && img.Config.OS != "linux" {
			return fmt.Errorf("%s: the image is for %s: only linux images can be built on", in.Text, img.Config.OS)
		}
		st.config, st.layers, st.created = cloneConfig(img.Config), img.Layers, img.Created
		note.Name, note.Image = base.Image, img.ID
	}
	if env := st.config.Config.Env; st.config.OS != "windows" && !slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") }) {
		st.config.Config.Env = append(env, defaultPath) // as docker has it: every image says where programs are
	}
	note.Chain = st.chain()
	st.session.story.base(note)
	return nil
}

// cloneConfig copies what instructions change, so that stages on one base keep apart.
func cloneConfig(c oci.Image) oci.Image {
	c.History = slices.Clone(c.History)
	cfg := &c.Config
	cfg.Env, cfg.OnBuild = slices.Clone(cfg.Env), slices.Clone(cfg.OnBuild)
	cfg.Labels, cfg.ExposedPorts, cfg.Volumes = maps.Clone(cfg.Labels), maps.Clone(cfg.ExposedPorts), maps.Clone(cfg.Volumes)
	return c
}

// needs lists the stages that an instruction takes something from.
func (st *stage) needs(in dockerfile.Instruction, cmd dockerfile.Command) ([]int, error) {
	var from []string
	switch c := cmd.(type) {
	case *dockerfile.Copy:
		from = append(from, c.From)
	case *dockerfile.Run:
		mounts, err := st.scope.Mounts(in, c)
		if err != nil {
			return nil, err
		}
		return mountStages(mounts), nil
	}
	var stages []int
	for _, name := range from {
		if i, ok := st.session.plan.File.CopySource(name, st.planned.Index); ok && name != "" {
			stages = append(stages, i)
		}
	}
	return stages, nil
}

// instruction carries out one instruction after FROM, whose variables are expanded.
func (st *stage) instruction(ctx context.Context, in dockerfile.Instruction, cmd dockerfile.Command) (outcome, error) {
	switch c := cmd.(type) {
	case *dockerfile.Run:
		return st.run(ctx, in, c)
	case *dockerfile.Copy:
		return st.copy(ctx, in, copyOf(c))
	case *dockerfile.Add:
		return st.copy(ctx, in, addOf(c))
	case *dockerfile.Workdir:
		return st.workdir(ctx, in, c)
	}
	st.session.story.setting(SettingRecord{Stage: st.planned.Index, Place: st.places, Line: in.Line, Text: shownText(in)})
	return outcome{}, st.metadata(in, cmd)
}

// history adds an instruction to the history of the image.
func (st *stage) history(createdBy string, empty bool) {
	h := v1.History{CreatedBy: fetch.HideUsers(createdBy), Comment: historyComment, EmptyLayer: empty}
	if !st.created.IsZero() {
		t := st.created.UTC()
		h.Created = &t
	}
	st.config.History = append(st.config.History, h)
}

// push puts a layer on top. created is when it was made.
func (st *stage) push(l image.Layer, created time.Time) {
	l.ChainID = oci.ChainID(append(st.diffIDs(), l.DiffID))
	st.layers = append(slices.Clip(st.layers), l)
	st.created = created
}

func (st *stage) diffIDs() []digest.Digest {
	ids := make([]digest.Digest, len(st.layers), len(st.layers)+1)
	for i, l := range st.layers {
		ids[i] = l.DiffID
	}
	return ids
}

// unpack makes sure that the driver has the stage's whole tree.
func (st *stage) unpack(ctx context.Context) (digest.Digest, error) {
	st.unpacking.Lock()
	defer st.unpacking.Unlock()
	if st.unpacked == len(st.layers) {
		return st.chain(), nil
	}
	img := image.Image{Config: st.config, Layers: st.layers}
	img.Config.RootFS = v1.RootFS{Type: "layers", DiffIDs: st.diffIDs()}
	chain, err := st.session.images.Unpack(ctx, img)
	if err == nil {
		st.unpacked = len(st.layers)
	}
	return chain, err
}

// finish gives the config its last touch.
func (st *stage) finish(epoch *time.Time) {
	created := st.created
	if epoch != nil {
		created = *epoch
		t := created.UTC()
		for i := range st.config.History {
			if h := &st.config.History[i]; h.Created == nil || h.Created.After(t) {
				h.Created = &t
			}
		}
	}
	if created.IsZero() {
		created = time.Unix(0, 0) // nothing but config: the same Dockerfile gives the same image
	}
	created = created.UTC()
	st.config.Created = &created
}
