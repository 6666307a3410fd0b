package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/learn-containers/learn/engine/registry/server/depot"
)

// Options say what a Server allows. The zero value is a registry for everybody who can reach it, to which can be pushed, and from which
// nothing can be deleted.
type Options struct {
	ReadOnly bool  // refuse everything that changes something
	Delete   bool  // let tags, manifests and blobs be deleted
	Auth     *Auth // nil: no password is asked for
	Storage  depot.Options
	Now      func() time.Time // nil: time.Now
	Patience time.Duration    // without a byte, before a client is given up; zero: a minute
}

// Server is a registry. It is safe for concurrent use. It must be closed, after the last request.
type Server struct {
	options Options
	depot   *depot.Depot
	uploads uploads
}

const defaultPatience = time.Minute

// New opens the depot in dir, and makes it if it isn't there.
func New(dir string, o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	o.Storage.ReadOnly = o.Storage.ReadOnly || o.ReadOnly
	d, err := depot.Open(dir, o.Storage)
	if err != nil {
		return nil, err
	}
	return &Server{options: o, depot: d, uploads: uploads{open: map[string]*upload{}, now: o.Now}}, nil
}

// Close throws away what uploads have left unfinished and gives the depot back.
func (s *Server) Close() error { return errors.Join(s.uploads.clear(), s.depot.Close()) }

// Handler is the server as a handler.
func (s *Server) Handler() http.Handler { return s }

// Depot is what the server keeps.
func (s *Server) Depot() *depot.Depot { return s.depot }

// exchange is one request and its answer.
type exchange struct {
	*Server
	route
	w   http.ResponseWriter
	r   *http.Request
	ctx context.Context
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Docker-Distribution-Api-Version", "registry/2.0")
	h.Set("X-Content-Type-Options", "nosniff")
	x := &exchange{Server: s, w: w, r: r, ctx: r.Context()}
	if err := x.serve(); err != nil {
		asRefusal(err, x.place).write(w)
	}
}

func (x *exchange) serve() error {
	x.expectBody()
	if err := x.authorize(); err != nil {
		return err
	}
	var err error
	if x.route, err = parseRoute(x.r.URL.Path); err != nil {
		return err
	}
	if x.options.ReadOnly && x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return &refusal{status: http.StatusMethodNotAllowed, code: codeUnsupported, err: errors.New("this registry can only be read"), allow: "GET, HEAD"}
	}
	switch x.place {
	case placeBase:
		return x.onlyGet(x.base)
	case placeCatalog:
		return x.onlyGet(x.catalog)
	case placeTags:
		return x.onlyGet(x.tags)
	case placeReferrers:
		return x.onlyGet(x.referrers)
	case placeManifest:
		return x.manifest()
	case placeBlob:
		return x.blob()
	case placeUploads:
		return x.beginUpload()
	}
	return x.upload()
}

func (x *exchange) onlyGet(answer func() error) error {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return errMethod(x.place, x.r.Method)
	}
	return answer()
}

// base says that this is a registry, and that the client may enter.
func (x *exchange) base() error { return x.json("application/json", []byte("{}")) }

// mayDelete is the switch for everything that deletes.
func (x *exchange) mayDelete() error {
	if x.options.Delete {
		return nil
	}
	return &refusal{status: http.StatusMethodNotAllowed, code: codeUnsupported, err: errors.New("this registry deletes nothing: learn registry serve --delete allows it"), allow: "GET, HEAD, PUT"}
}
