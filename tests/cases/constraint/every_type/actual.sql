CREATE TABLE public.rooms (id integer PRIMARY KEY, floor integer NOT NULL, number integer NOT NULL, CONSTRAINT place UNIQUE (floor, number));
CREATE TABLE public.bookings (
    id integer, room integer, floor integer, number integer, during int4range,
    CONSTRAINT one_at_a_time EXCLUDE USING gist (during WITH &&),
    CONSTRAINT booked_room FOREIGN KEY (room) REFERENCES public.rooms,
    CONSTRAINT booked_place FOREIGN KEY (floor, number) REFERENCES public.rooms (floor, number)
);
COMMENT ON CONSTRAINT booked_place ON public.bookings IS 'where';
