CREATE TABLE public.people (id integer CONSTRAINT people_once UNIQUE, mail text, age integer);
CREATE TABLE public.letters (id integer, people_id integer CONSTRAINT letters_people_id_fkey REFERENCES public.people (id));
CREATE INDEX people_age ON public.people (age);
