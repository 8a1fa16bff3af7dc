CREATE TABLE public.t (a int, b int, CONSTRAINT x UNIQUE (a), CONSTRAINT y UNIQUE (b));
CREATE TABLE public.f (
    a int CONSTRAINT fa REFERENCES public.t (a),
    b int CONSTRAINT fb REFERENCES public.t (b)
);
