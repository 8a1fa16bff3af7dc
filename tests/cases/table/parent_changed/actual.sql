CREATE TABLE public.eldest (id bigint NOT NULL);
CREATE TABLE public.first () INHERITS (public.eldest);
CREATE TABLE public.sibling () INHERITS (public.first);
CREATE TABLE public.second (id bigint NOT NULL, note text);
CREATE TABLE public.child (note text) INHERITS (public.first);
INSERT INTO public.child VALUES (1, 'one');
