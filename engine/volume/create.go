package volume

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"

	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// CreateOptions say what to create.
type CreateOptions struct {
	Name    string // empty: an anonymous volume, whose name is made up
	Driver  string // empty: Local
	Labels  map[string]string
	Options map[string]string // of the driver
	// Making is called, if it is not nil, with the name of a volume that is about to be made, before anything of it is there.
	Making func(name string) error
}

// Create makes a volume. One that is there already is returned as it is, as docker does. Errors: *InvalidError for names, drivers and
// options that can't be, *ConflictError for a volume that this driver can't use. After an error, or a crash, nothing of it is left.
func (s *Store) Create(ctx context.Context, o CreateOptions) (*Volume, error) {
	if o.Driver != "" && o.Driver != Local {
		return nil, invalid("create %s: error looking up volume plugin %s: plugin %q not found", o.Name, o.Driver, o.Driver)
	}
	v := &Volume{Name: o.Name, Driver: Local, CreatedAt: s.Now().UTC(), Labels: maps.Clone(o.Labels), Options: maps.Clone(o.Options), Storage: s.Storage}
	if err := s.complete(v); err != nil {
		return nil, err
	}
	there, err := s.make(ctx, v, o.Making)
	if err != nil || there != nil {
		return there, err
	}
	s.Events.Add(events.VolumeEventType, events.ActionCreate, v.Name, map[string]string{"driver": v.Driver})
	trace.Fact(ctx, vocab.VolumeCreate, trace.String("volume", v.Name), trace.String("driver", v.Driver), trace.Bool("anonymous", v.Anonymous()))
	return v, nil
}

// complete fills in a name, and checks what was given.
func (s *Store) complete(v *Volume) error {
	if v.Name == "" {
		name, err := s.anonymous()
		if err != nil {
			return err
		}
		v.Name = name
		if v.Labels == nil {
			v.Labels = map[string]string{}
		}
		v.Labels[AnonymousLabel] = ""
	}
	if err := CheckName(v.Name); err != nil {
		return err
	}
	if err := checkOptions(v.Options); err != nil {
		return fmt.Errorf("create %s: %w", v.Name, err)
	}
	if len(v.Options) == 0 {
		v.Folder = folderName(v.Name)
	}
	return nil
}

// make makes what is not there; there is the volume that is.
func (s *Store) make(ctx context.Context, v *Volume, making func(string) error) (there *Volume, err error) {
	unlock, err := s.home.Lock(ctx, namesLock, true)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if old, err := s.read(v.Name); err == nil {
		return old, old.Problem
	}
	op, err := s.home.Begin("create volume")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	if making != nil {
		if err := making(v.Name); err != nil {
			return nil, err
		}
	}
	if err := op.Claim(ClaimFolder, v.Name); err != nil {
		return nil, err
	}
	return nil, s.place(ctx, v)
}

// place makes the folder and then the record. A folder without a record is of a volume that was being removed.
func (s *Store) place(ctx context.Context, v *Volume) error {
	if v.Folder != "" {
		if s.folders == nil {
			return fmt.Errorf("create volume %s: %w", v.Name, driver.ErrUnsupported)
		}
		err := s.folders.MakeFolder(ctx, v.Folder, 0, 0, 0o755)
		if errors.Is(err, driver.ErrExists) {
			if err = s.folders.RemoveFolder(ctx, v.Folder); err == nil {
				err = s.folders.MakeFolder(ctx, v.Folder, 0, 0, 0o755)
			}
		}
		if err != nil {
			return fmt.Errorf("create volume %s: %w", v.Name, err)
		}
	}
	failpoint.Hit("volume.create.before-record")
	if err := os.MkdirAll(s.dir(), 0o700); err != nil {
		return fmt.Errorf("create volume %s: %w", v.Name, err)
	}
	if err := home.WriteJSON(s.file(v.Name), v, 0o600); err != nil {
		return errors.Join(fmt.Errorf("create volume %s: %w", v.Name, err), s.dropFolder(context.WithoutCancel(ctx), v))
	}
	failpoint.Hit("volume.create.after-record")
	return nil
}

func (s *Store) dropFolder(ctx context.Context, v *Volume) error {
	if v.Folder == "" || s.folders == nil {
		return nil
	}
	return s.folders.RemoveFolder(ctx, v.Folder)
}
